-- Open transactions of others in this database. Needs the PROCESS privilege. The server does
-- not say which tables they have touched.
SELECT
    p.id AS pid,
    p.user AS user,
    p.host AS client,
    TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) AS seconds,
    CASE WHEN p.command = 'Sleep' THEN 'idle in transaction' ELSE 'active' END AS state
FROM information_schema.innodb_trx AS t
JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id
WHERE p.id <> CONNECTION_ID()
  AND p.db = DATABASE()
  AND (TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) > %(old)s
       OR (p.command = 'Sleep' AND p.time > %(idle)s))
ORDER BY seconds DESC
