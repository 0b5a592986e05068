"""People of a candidate's company, the rights to reach them, and objections."""
