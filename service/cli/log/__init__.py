"""`python -m service log verify|checkpoints|public-key|export|follow`: verify the security log, hand it on."""
