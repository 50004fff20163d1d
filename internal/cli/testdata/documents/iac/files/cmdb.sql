-- What the database meta of the examples starts from.
CREATE TABLE IF NOT EXISTS pigsty.node (ip inet PRIMARY KEY, name text);
