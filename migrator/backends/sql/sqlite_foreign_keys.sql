-- Foreign keys, one row for each column, in the order of their declaration (SQLite numbers
-- them backwards).
SELECT
    m.name AS relation,
    f.id AS id,
    f."table" AS to_table,
    f."from" AS "column",
    coalesce(f."to", '') AS to_column,
    f.on_delete AS on_delete,
    f.on_update AS on_update
FROM sqlite_master AS m
JOIN pragma_foreign_key_list(m.name) AS f
WHERE m.type = 'table' AND m.rootpage <> 0
ORDER BY m.name, f.id DESC, f.seq
