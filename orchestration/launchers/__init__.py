"""Where trainings run: this machine, Amazon SageMaker, Slurm or Kubernetes.

Belongs here: from one job description to each backend's request, and one way of submitting, watching, stopping and
collecting. A backend is one file. Does not belong here: what a training does.
"""
