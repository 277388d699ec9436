-- Who holds a named lock: its session, and what the server shows of that.
SELECT
    u.id AS pid,
    u.id = CONNECTION_ID() AS mine,
    COALESCE(p.user, '') AS user,
    COALESCE(p.host, '') AS client
FROM (SELECT IS_USED_LOCK(%(name)s) AS id) AS u
LEFT JOIN information_schema.processlist AS p ON p.id = u.id
WHERE u.id IS NOT NULL
