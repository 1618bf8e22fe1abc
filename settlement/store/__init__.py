"""The SQLAlchemy state of everything: one MetaData, alembic migrations."""
