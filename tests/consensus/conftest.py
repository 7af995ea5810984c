"""Settings of the property tests here: no deadlines, since machines that run tests are busy."""

from hypothesis import settings

settings.register_profile("consensus", deadline=None)
settings.load_profile("consensus")
