"""The one run of a training, as each of its processes sees it."""
