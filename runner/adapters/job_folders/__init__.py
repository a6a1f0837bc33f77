"""The folders of the jobs: what was accepted, what is being run, what is sealed.

``<root>/<job id>/``, mode 0700, seen by no job: ``plan.json`` says that the job was accepted,
``artifact.json`` that it ended. In between lie its logs, its outputs and a little reserved
space. Everything below ``outputs/`` was named by the job, so it collides with nothing of ours.
"""

from runner.adapters.job_folders.folder import JobFolder
from runner.adapters.job_folders.root import JobFolders

__all__ = ["JobFolder", "JobFolders"]
