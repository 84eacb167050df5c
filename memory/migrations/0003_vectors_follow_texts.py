"""A vector goes when its text goes, changes or moves; and PostgreSQL keeps vectors as such.

Triggers, because texts are stored and deleted in bulk, from several places, in statements that
must not become more. They belong to memory_searchentry: a migration that remakes that table on
SQLite has to make them again.
"""

from django.db import migrations

SQLITE = (
    """
    CREATE TRIGGER memory_vector_orphaned AFTER DELETE ON memory_searchentry BEGIN
        DELETE FROM memory_vector WHERE entry_id = old.id;
    END
    """,
    """
    CREATE TRIGGER memory_vector_outdated AFTER UPDATE OF text, scope_id ON memory_searchentry
    WHEN old.text IS NOT new.text OR old.scope_id IS NOT new.scope_id BEGIN
        DELETE FROM memory_vector WHERE entry_id = old.id;
    END
    """,
)
SQLITE_BACK = (
    "DROP TRIGGER memory_vector_orphaned",
    "DROP TRIGGER memory_vector_outdated",
)
POSTGRESQL = (
    """
    CREATE FUNCTION memory_vector_forget() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM memory_vector WHERE entry_id = OLD.id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER memory_vector_orphaned AFTER DELETE ON memory_searchentry
    FOR EACH ROW EXECUTE FUNCTION memory_vector_forget()
    """,
    """
    CREATE TRIGGER memory_vector_outdated AFTER UPDATE OF text, scope_id ON memory_searchentry
    FOR EACH ROW WHEN (OLD.text IS DISTINCT FROM NEW.text OR OLD.scope_id <> NEW.scope_id)
    EXECUTE FUNCTION memory_vector_forget()
    """,
)
POSTGRESQL_BACK = (
    "DROP TRIGGER memory_vector_orphaned ON memory_searchentry",
    "DROP TRIGGER memory_vector_outdated ON memory_searchentry",
    "DROP FUNCTION memory_vector_forget()",
    "ALTER TABLE memory_vector DROP COLUMN IF EXISTS embedding",
)
# An account that may not create the extension keeps vectors as bytes.
PGVECTOR = """
    DO $$
    BEGIN
        IF EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector') THEN
            CREATE EXTENSION IF NOT EXISTS vector;
            ALTER TABLE memory_vector ADD COLUMN embedding halfvec;
        END IF;
    EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
        RAISE NOTICE 'pgvector cannot be used: %', SQLERRM;
    END $$
"""

FORWARD = {"sqlite": SQLITE, "postgresql": (*POSTGRESQL, PGVECTOR)}
BACKWARD = {"sqlite": SQLITE_BACK, "postgresql": POSTGRESQL_BACK}


def build(_apps, schema_editor):
    for statement in FORWARD[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def demolish(_apps, schema_editor):
    for statement in BACKWARD[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("memory", "0002_search_index")]
    operations = [migrations.RunPython(build, demolish)]
