"""Pinecone: a namespace of a serverless index for each collection, many readers and writers."""
