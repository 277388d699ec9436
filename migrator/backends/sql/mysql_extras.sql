-- Views, functions, procedures and events.
SELECT
    'view' AS kind,
    CASE WHEN table_schema = DATABASE() THEN '' ELSE table_schema END AS `schema`,
    table_name AS name,
    view_definition AS definition
FROM information_schema.views
WHERE table_schema IN %(schemas)s
UNION ALL
SELECT
    LOWER(routine_type),
    CASE WHEN routine_schema = DATABASE() THEN '' ELSE routine_schema END,
    routine_name,
    routine_definition
FROM information_schema.routines
WHERE routine_schema IN %(schemas)s
UNION ALL
SELECT
    'event',
    CASE WHEN event_schema = DATABASE() THEN '' ELSE event_schema END,
    event_name,
    event_definition
FROM information_schema.events
WHERE event_schema IN %(schemas)s
