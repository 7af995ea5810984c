"""The task that owns the replica: it takes events in, stores them, makes own ones and publishes decided rounds."""
