"""One run's page: details, logs, texts, source, panels, moments."""
