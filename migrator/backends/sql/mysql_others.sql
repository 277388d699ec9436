-- Other sessions of this database; without the PROCESS privilege the server shows only those of
-- the same user.
SELECT id AS pid, user AS user, host AS client
FROM information_schema.processlist
WHERE db = DATABASE() AND id <> CONNECTION_ID()
ORDER BY id
