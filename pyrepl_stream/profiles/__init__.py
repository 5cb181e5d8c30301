"""Profiles: named descriptions of command-line tools, with their flags and output processors."""

from .files import find_profile, load_profiles
from .profile import Profile
from .rejected import rejected_flag
from .run import ProfileRun, run_profile

__all__ = ("Profile", "ProfileRun", "find_profile", "load_profiles", "rejected_flag", "run_profile")
