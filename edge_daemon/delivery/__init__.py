"""The way from a booking to the plant: stored, sent to the broker, confirmed."""
