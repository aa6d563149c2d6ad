"""The search tables of PostgreSQL, as the rest of the program asks them."""

from mcp_optimizer.db.postgres import full_text as postgres_words
from mcp_optimizer.db.postgres import schema as postgres_schema
from mcp_optimizer.db.postgres import vector_index as postgres_search


class PostgresIndex:
    """pgvector for meaning, tsvector for words."""

    create_statements = staticmethod(postgres_search.create_statements)
    recreate = staticmethod(postgres_search.recreate)
    finish = staticmethod(postgres_search.finish)
    filling = staticmethod(postgres_search.filling)
    continue_numbers = staticmethod(postgres_schema.continue_numbers)
    put_servers = staticmethod(postgres_search.put_servers)
    remove_servers = staticmethod(postgres_search.remove_servers)
    put_tools = staticmethod(postgres_search.put_tools)
    insert_tools = staticmethod(postgres_search.insert_tools)
    remove_tools = staticmethod(postgres_search.remove_tools)
    nearest_tools = staticmethod(postgres_search.nearest_tools)
    nearest_servers = staticmethod(postgres_search.nearest_servers)
    matching_tools = staticmethod(postgres_words.matching_tools)
