-- Triggers; none can be switched off.
SELECT
    event_object_schema AS table_schema,
    event_object_table AS relation,
    trigger_name AS name,
    CONCAT(action_timing, ' ', event_manipulation, ' ', action_statement) AS definition
FROM information_schema.triggers
WHERE event_object_schema IN %(schemas)s
ORDER BY event_object_schema, event_object_table, trigger_name
