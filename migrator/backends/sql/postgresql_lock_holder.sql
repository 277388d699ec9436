-- The session that holds our advisory lock on this database (a session lock is per database
-- by nature; a bigint key stands in two halves).
SELECT
    s.pid,
    coalesce(s.application_name, '') AS application,
    coalesce(s.usename::text, '') AS "user",
    coalesce(host(s.client_addr), '') AS client,
    s.backend_start AS since,
    coalesce(s.query, '') AS query
FROM pg_locks AS l
JOIN pg_stat_activity AS s ON s.pid = l.pid
WHERE l.locktype = 'advisory'
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid::bigint = %(high)s AND l.objid::bigint = %(low)s AND l.objsubid = 1
  AND l.granted
  AND (l.pid = pg_backend_pid()) = %(mine)s
