"""Facts about a candidate's company, and judgements of the profile's criteria."""
