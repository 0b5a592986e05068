"""The door to the pure rules: what of the method a campaign freezes and a profile may demand.

The rules import nothing of the program. This module alone of the campaigns names them, so that
the import contracts hold one exception.
"""

from flatbed.app.candidates.rules.comparison import Operator
from flatbed.app.candidates.rules.fit import SIX_CS, Criterion
from flatbed.app.candidates.rules.rubric import Rubric
from flatbed.app.candidates.rules.stages import CampaignState, Stage

__all__ = ["SIX_CS", "CampaignState", "Criterion", "Operator", "Rubric", "Stage"]
