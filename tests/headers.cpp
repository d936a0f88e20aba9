// The headers that are compiled ahead for the tests need a source to belong to.
