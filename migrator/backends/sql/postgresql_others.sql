-- Other clients that are connected to this database.
SELECT
    pid,
    application_name AS application,
    coalesce(usename, '')::text AS "user",
    coalesce(host(client_addr), 'local') AS client,
    backend_start AS since,
    coalesce(left(query, 200), '') AS query
FROM pg_stat_activity
WHERE
    datname = current_database()
    AND pid <> pg_backend_pid()
    AND backend_type = 'client backend'
ORDER BY backend_start
