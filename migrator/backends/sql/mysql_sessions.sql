-- Other sessions of this database that run a statement now; without the PROCESS privilege
-- the server shows only those of the same user.
SELECT id AS pid, user AS user, host AS client, info AS query
FROM information_schema.processlist
WHERE db = DATABASE() AND id <> CONNECTION_ID() AND command = 'Query' AND info IS NOT NULL
ORDER BY id
