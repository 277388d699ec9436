"""Take every database of a Django project to the state that its code expects."""
