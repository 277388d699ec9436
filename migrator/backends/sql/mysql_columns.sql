-- Columns by position. A collation counts where it is not its table's.
SELECT
    c.table_schema AS table_schema,
    c.table_name AS relation,
    c.column_name AS name,
    c.column_type AS type,
    c.data_type AS base,
    c.is_nullable AS nullable,
    c.column_default AS expression,
    c.extra AS extra,
    c.privileges = 'select' AS only_select,
    COALESCE(c.generation_expression, '') AS generation,
    CASE WHEN c.collation_name <> t.table_collation THEN c.collation_name ELSE '' END AS `collation`
FROM information_schema.columns AS c
JOIN information_schema.tables AS t
    ON t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE c.table_schema IN %(schemas)s
ORDER BY c.table_schema, c.table_name, c.ordinal_position
