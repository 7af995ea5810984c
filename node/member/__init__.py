"""The task that owns the replica: takes events in, stores them, makes own ones, publishes decided rounds."""
