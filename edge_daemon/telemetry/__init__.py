"""What the daemon tells the outside about itself: metrics, health, HTTP and the service manager."""
