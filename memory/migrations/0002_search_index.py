"""The index of SearchEntry.terms: FTS5 on SQLite, a generated tsvector on PostgreSQL.

The terms are ready made, so neither database parses or stems: `ascii` takes every letter beyond
ASCII for a part of its word, and without `detail` FTS5 keeps no places, which nobody asks for.
"""

from django.db import migrations

SQLITE = (
    """
    CREATE VIRTUAL TABLE memory_search_fts USING fts5(
        terms, content='memory_searchentry', content_rowid='id', detail=none, tokenize='ascii'
    )
    """,
    """
    CREATE TRIGGER memory_search_added AFTER INSERT ON memory_searchentry BEGIN
        INSERT INTO memory_search_fts(rowid, terms) VALUES (new.id, new.terms);
    END
    """,
    """
    CREATE TRIGGER memory_search_removed AFTER DELETE ON memory_searchentry BEGIN
        INSERT INTO memory_search_fts(memory_search_fts, rowid, terms)
        VALUES ('delete', old.id, old.terms);
    END
    """,
    """
    CREATE TRIGGER memory_search_changed AFTER UPDATE ON memory_searchentry BEGIN
        INSERT INTO memory_search_fts(memory_search_fts, rowid, terms)
        VALUES ('delete', old.id, old.terms);
        INSERT INTO memory_search_fts(rowid, terms) VALUES (new.id, new.terms);
    END
    """,
    "INSERT INTO memory_search_fts(memory_search_fts) VALUES ('rebuild')",
)
SQLITE_BACK = (
    "DROP TRIGGER memory_search_added",
    "DROP TRIGGER memory_search_removed",
    "DROP TRIGGER memory_search_changed",
    "DROP TABLE memory_search_fts",
)
POSTGRESQL = (
    """
    ALTER TABLE memory_searchentry ADD COLUMN words tsvector
        GENERATED ALWAYS AS (array_to_tsvector(string_to_array(terms, ' '))) STORED
    """,
    "CREATE INDEX memory_search_words ON memory_searchentry USING gin (words)",
)
POSTGRESQL_BACK = ("ALTER TABLE memory_searchentry DROP COLUMN words",)

FORWARD = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
BACKWARD = {"sqlite": SQLITE_BACK, "postgresql": POSTGRESQL_BACK}


def build(_apps, schema_editor):
    for statement in FORWARD[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def demolish(_apps, schema_editor):
    for statement in BACKWARD[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("memory", "0001_initial")]
    operations = [migrations.RunPython(build, demolish)]
