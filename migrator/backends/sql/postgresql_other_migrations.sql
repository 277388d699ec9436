-- Other sessions of this database that hold more than a reader's lock on django_migrations,
-- or that run DDL now (leading comments skipped; a temporary table is nobody else's business).
-- Autovacuum and other background processes are not client backends.
SELECT
    s.pid,
    coalesce(s.application_name, '') AS application,
    coalesce(s.usename::text, '') AS "user",
    coalesce(host(s.client_addr), '') AS client,
    coalesce(s.xact_start, s.query_start, s.backend_start) AS since,
    coalesce(s.query, '') AS query
FROM pg_stat_activity AS s
WHERE s.datname = current_database()
  AND s.pid <> pg_backend_pid()
  -- A role without pg_read_all_stats sees no backend_type, but which user it is.
  AND (
      s.backend_type = 'client backend'
      OR (s.backend_type IS NULL AND s.usename IS NOT NULL)
  )
  AND (
      EXISTS (
          SELECT FROM pg_locks AS l
          WHERE l.pid = s.pid
            AND l.granted
            AND l.locktype = 'relation'
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND l.relation = to_regclass('django_migrations')
            AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
      )
      OR (
          s.state = 'active'
          AND s.query ~* '^(\s|--[^\n]*\n|/\*([^*]|\*[^/])*\*/)*(create|alter|drop|reindex)\M'
          AND s.query !~* '^(\s|--[^\n]*\n|/\*([^*]|\*[^/])*\*/)*create\s+((local|global)\s+)?temp'
      )
  )
ORDER BY s.pid
