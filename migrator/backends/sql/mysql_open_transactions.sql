-- Whose transaction is open while a session waits for a lock: one of them has to end. A session
-- that does not wait has nobody in its way. (Without the PROCESS privilege: an error.)
SELECT
    t.trx_mysql_thread_id AS pid,
    COALESCE(p.user, '') AS user,
    COALESCE(p.host, '') AS client,
    CONCAT('in a transaction for ', TIMESTAMPDIFF(SECOND, t.trx_started, NOW()), ' s') AS state,
    COALESCE(t.trx_query, p.info, '') AS query
FROM information_schema.innodb_trx AS t
JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id
JOIN information_schema.processlist AS w ON w.id = %(session)s
WHERE t.trx_mysql_thread_id <> %(session)s
  AND p.id <> CONNECTION_ID()
  AND (w.state LIKE 'Waiting for%%lock%%' OR EXISTS (
      SELECT 1 FROM information_schema.innodb_trx AS o
      WHERE o.trx_mysql_thread_id = %(session)s AND o.trx_state = 'LOCK WAIT'))
ORDER BY t.trx_started
LIMIT 10
