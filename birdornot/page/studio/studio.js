// The studio.
