"""2-D point navigation, natively vectorised."""

from .point import NavigationEnv, NavigationVectorEnv, navigation_task, sparse_task, wind_task
from .tasks import (
    NavigationTasks,
    SparseNavigationTasks,
    WindyNavigationTasks,
    navigation,
    navigation_sparse,
    navigation_wind,
)

__all__ = [
    "NavigationEnv",
    "NavigationTasks",
    "NavigationVectorEnv",
    "SparseNavigationTasks",
    "WindyNavigationTasks",
    "navigation",
    "navigation_sparse",
    "navigation_task",
    "navigation_wind",
    "sparse_task",
    "wind_task",
]
