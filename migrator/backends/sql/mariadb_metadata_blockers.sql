-- MariaDB with the plugin metadata_lock_info: whose lock is on the tables of the database while
-- a session waits for a metadata lock.
SELECT
    p.id AS pid,
    COALESCE(p.user, '') AS user,
    COALESCE(p.host, '') AS client,
    LOWER(CONCAT('holds ', MIN(l.lock_mode), ' on ', MIN(l.table_name))) AS state,
    COALESCE(p.info, '') AS query
FROM information_schema.metadata_lock_info AS l
JOIN information_schema.processlist AS p ON p.id = l.thread_id
JOIN information_schema.processlist AS w ON w.id = %(session)s
WHERE l.thread_id <> %(session)s AND p.id <> CONNECTION_ID()
  AND l.table_schema = DATABASE() AND w.state LIKE 'Waiting for table metadata lock%%'
GROUP BY p.id, p.user, p.host, p.info
ORDER BY MAX(p.time) DESC
LIMIT 10
