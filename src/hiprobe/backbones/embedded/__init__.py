"""The embedded default backbone: where its weights come from, how they are joined, what runs."""
