"""One module a tracker, found by its name: `PACKAGES` that it needs, and `opened(run, note) -> Callback`."""
