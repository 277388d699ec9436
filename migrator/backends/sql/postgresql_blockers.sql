-- Who keeps a session from getting a lock: those who hold it, and those before it in the queue.
-- A prepared transaction has no session; the server gives it the number 0.
SELECT
    b.pid,
    CASE WHEN b.pid = 0 THEN 'a prepared transaction'
         ELSE coalesce(s.application_name, '') END AS application,
    coalesce(s.usename::text, '') AS "user",
    coalesce(host(s.client_addr), '') AS client,
    coalesce(s.xact_start, s.backend_start) AS since,
    CASE WHEN s.wait_event_type = 'Lock' THEN 'waits for a lock itself'
         ELSE coalesce(s.state, '') END AS state,
    coalesce(s.query, '') AS query
FROM (SELECT DISTINCT unnest(pg_blocking_pids(%(pid)s)) AS pid) AS b
LEFT JOIN pg_stat_activity AS s ON s.pid = b.pid
ORDER BY s.wait_event_type IS NOT DISTINCT FROM 'Lock', since, b.pid
LIMIT 10
