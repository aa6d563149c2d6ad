"""Search: ranking, words, spelling, queries. Pure."""
