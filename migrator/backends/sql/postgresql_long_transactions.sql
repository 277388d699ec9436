-- Transactions of others in this database that have been open for a while, prepared ones too,
-- with the tables on which they hold locks. Without pg_read_all_stats the server shows no
-- age of another role's transaction; prepared ones and one's own role's are always shown.
WITH others AS (
    SELECT
        s.pid,
        NULL::text AS prepared,
        coalesce(s.application_name, '') AS application,
        coalesce(s.usename::text, '') AS "user",
        coalesce(host(s.client_addr), '') AS client,
        extract(epoch FROM clock_timestamp() - s.xact_start)::float8 AS seconds,
        coalesce(s.state, '') AS state,
        (SELECT array_agg(DISTINCT l.relation) FROM pg_locks AS l
         WHERE l.pid = s.pid AND l.granted AND l.locktype = 'relation'
           AND l.database = s.datid) AS relations
    FROM pg_stat_activity AS s
    WHERE s.datname = current_database()
      AND s.pid <> pg_backend_pid()
      AND s.xact_start IS NOT NULL
      AND s.backend_type = 'client backend'
      AND (
          clock_timestamp() - s.xact_start > %(old)s * interval '1 second'
          OR (s.state LIKE 'idle in transaction%%'
              AND clock_timestamp() - s.state_change > %(idle)s * interval '1 second')
      )
    UNION ALL
    SELECT
        NULL,
        p.gid,
        '',
        p.owner::text,
        '',
        extract(epoch FROM clock_timestamp() - p.prepared)::float8,
        'prepared',
        (SELECT array_agg(DISTINCT l.relation) FROM pg_locks AS l
         WHERE l.virtualtransaction = '-1/' || p.transaction::text AND l.granted
           AND l.locktype = 'relation')
    FROM pg_prepared_xacts AS p
    WHERE p.database = current_database()
      AND clock_timestamp() - p.prepared > %(idle)s * interval '1 second'
)
SELECT
    o.pid,
    o.prepared,
    o.application,
    o."user",
    o.client,
    o.seconds,
    o.state,
    coalesce((
        SELECT array_agg(ARRAY[
            CASE WHEN pg_table_is_visible(c.oid) THEN '' ELSE n.nspname::text END,
            c.relname::text
        ])
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.oid = ANY (o.relations) AND c.relkind IN ('r', 'p', 'm')
          AND n.nspname !~ '^(pg_|information_schema$)'
    ), ARRAY[]::text[]) AS tables
FROM others AS o
ORDER BY o.seconds DESC
