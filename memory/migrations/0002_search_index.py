"""The full-text index beside SearchEntry: FTS5 on SQLite, a generated tsvector on PostgreSQL."""

from django.db import migrations

SQLITE = (
    """
    CREATE VIRTUAL TABLE memory_search_fts USING fts5(
        scope_id, text, content='memory_searchentry', content_rowid='id',
        tokenize='porter unicode61 remove_diacritics 2'
    )
    """,
    """
    CREATE TRIGGER memory_search_added AFTER INSERT ON memory_searchentry BEGIN
        INSERT INTO memory_search_fts(rowid, scope_id, text)
        VALUES (new.id, new.scope_id, new.text);
    END
    """,
    """
    CREATE TRIGGER memory_search_removed AFTER DELETE ON memory_searchentry BEGIN
        INSERT INTO memory_search_fts(memory_search_fts, rowid, scope_id, text)
        VALUES ('delete', old.id, old.scope_id, old.text);
    END
    """,
    """
    CREATE TRIGGER memory_search_changed AFTER UPDATE ON memory_searchentry BEGIN
        INSERT INTO memory_search_fts(memory_search_fts, rowid, scope_id, text)
        VALUES ('delete', old.id, old.scope_id, old.text);
        INSERT INTO memory_search_fts(rowid, scope_id, text)
        VALUES (new.id, new.scope_id, new.text);
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
        GENERATED ALWAYS AS (to_tsvector('english', left(text, 200000))) STORED
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
