"""${message}.

Revision: ${up_revision}
After: ${down_revision | comma,n}

Runs in a transaction of its own with lock_timeout 3 s, statement_timeout 60 s and row_security
off (`migrations/env.py`): a statement that a policy would empty fails.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
