from hypothesis import settings

# Timing is never asserted: a busy machine must not fail a test.
settings.register_profile("metarl", deadline=None)
settings.load_profile("metarl")
