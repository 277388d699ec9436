-- The columns of the recorder's table; none when it does not exist.
SELECT column_name AS name
FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = 'django_migrations'
