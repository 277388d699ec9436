-- Tables, views and (MariaDB) sequences that the user holds any privilege on; the server does
-- not tell of others.
SELECT
    CASE WHEN table_schema = DATABASE() THEN '' ELSE table_schema END AS `schema`,
    table_name AS name,
    table_type AS kind,
    COALESCE(table_collation, '') AS `collation`
FROM information_schema.tables
WHERE table_schema IN %(schemas)s
ORDER BY table_schema, table_name
