"""What is started for a job, and with what in its sight."""

from pathlib import Path

from runner.flows.equipment import Equipment
from runner.model.catalog import Catalog
from runner.model.checkout import Checkout
from runner.model.job import JobPlan
from runner.model.sandbox import Bind, ConfinedCommand
from runner.policy.job_environment import job_environment, params_json


def job_command(
    plan: JobPlan, equipment: Equipment, checkout: Checkout, catalog: Catalog, scratch: Path
) -> ConfinedCommand:
    """The command of an admitted job on its checkout.

    Args:
        plan: The job.
        equipment: Where the wrappers and Python are.
        checkout: The tree of its commit.
        catalog: Says which bytes the wrappers have.
        scratch: An empty folder for what the sandbox needs.
    """
    toolchains = tuple(Bind(source=Path(folder), target=folder) for folder in plan.toolchains)
    return ConfinedCommand(
        job_id=plan.job_id,
        argv=plan.argv,
        env=job_environment(
            plan,
            has_githooks=checkout.has_githooks,
            python=str(equipment.python) if plan.needs_python else None,
            runner=str(equipment.package.parent) if plan.needs_python else None,
        ),
        checkout=checkout.entry,
        objects=checkout.objects,
        wrappers=equipment.wrappers(catalog),
        binds=(*toolchains, *(equipment.python_binds if plan.needs_python else ())),
        limits=plan.limits,
        scratch=scratch,
        params_json=params_json(plan),
    )
