"""Details of one thing as a document of lines, made for a width. No widgets here."""
