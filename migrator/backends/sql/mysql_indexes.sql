-- Indexes, one row for each key; primary keys and uniques are indexes here. MySQL.
SELECT
    table_schema AS table_schema,
    table_name AS relation,
    index_name AS name,
    non_unique AS non_unique,
    COALESCE(column_name, '') AS `column`,
    COALESCE(expression, '') AS expression,
    COALESCE(`collation`, 'A') = 'D' AS descending,
    sub_part AS prefix,
    index_type AS method,
    is_visible = 'NO' AS ignored
FROM information_schema.statistics
WHERE table_schema IN %(schemas)s
ORDER BY table_schema, table_name, index_name, seq_in_index
