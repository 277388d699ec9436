-- Every object with its source; what SQLite itself calls the relations (a shadow table
-- belongs to a virtual one).
SELECT
    m.type AS type,
    m.name AS name,
    m.tbl_name AS relation,
    coalesce(m.sql, '') AS sql,
    coalesce(l.type, '') AS kind,
    coalesce(l.wr, 0) AS without_rowid
FROM sqlite_master AS m
LEFT JOIN pragma_table_list AS l ON l.schema = 'main' AND l.name = m.name AND m.type <> 'index'
WHERE substr(m.name, 1, 7) <> 'sqlite_'
ORDER BY m.name
