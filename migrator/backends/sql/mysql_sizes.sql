-- Every table of one schema with the server's guess of its rows and bytes; tables that the
-- user may not see are not there.
SELECT
    table_name AS name,
    table_rows AS `rows`,
    data_length AS heap,
    data_length + index_length AS bytes
FROM information_schema.tables
WHERE table_schema = CASE WHEN %(schema)s = '' THEN DATABASE() ELSE %(schema)s END
  AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
ORDER BY table_name
