"""Sources of labelled pictures, their audit, and the set that training reads."""
