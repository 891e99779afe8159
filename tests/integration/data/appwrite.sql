/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: appwrite
-- ------------------------------------------------------
-- Server version	10.11.19-MariaDB-0+deb12u1

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;

--
-- Table structure for table `_1_authenticators`
--

DROP TABLE IF EXISTS `_1_authenticators`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `_1_authenticators` (
  `_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `_uid` varchar(255) NOT NULL,
  `_createdAt` datetime(3) DEFAULT NULL,
  `_updatedAt` datetime(3) DEFAULT NULL,
  `_permissions` mediumtext DEFAULT NULL,
  `userInternalId` varchar(255) DEFAULT NULL,
  `userId` varchar(255) DEFAULT NULL,
  `type` varchar(255) DEFAULT NULL,
  `verified` tinyint(1) DEFAULT NULL,
  `data` text DEFAULT NULL,
  PRIMARY KEY (`_id`),
  UNIQUE KEY `_uid` (`_uid`),
  KEY `_key_userInternalId` (`userInternalId`),
  KEY `_created_at` (`_createdAt`),
  KEY `_updated_at` (`_updatedAt`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `_1_authenticators`
--

LOCK TABLES `_1_authenticators` WRITE;
/*!40000 ALTER TABLE `_1_authenticators` DISABLE KEYS */;
INSERT INTO `_1_authenticators` VALUES
(1,'5753d197a24195ff1de3','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678',NULL,NULL,'ann','totp',1,'{\"data\": \"fRml3m3SDNcyBw9vqi3F1yKpfO1cN+VuBlRwwP5/eeC3VO7tDKYJ/AmgRNo0jx7ynrHeY2oJCv4Zh0mCFD2iYgj2VaQhVsrpsVnkIKRfjaX5p4GUEyIh5YhLZCQ0ZJj3KC8mzD5t1bEQtH9+yGYsBTtEQxjt\", \"method\": \"aes-128-gcm\", \"iv\": \"31e5fb6cc30d8ec0ea34f383\", \"tag\": \"250a5c57a5f960d3b1dfd48b4c3635a9\", \"version\": \"1\"}'),
(2,'d927f218b78a3d1bd5ca','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678',NULL,NULL,'bob','totp',0,'{\"data\": \"eyLQGkdG/ajCoatJk33s9IRoTUbK1SxNshA4n4q4t3JNxdrII1DOuQ7S5GpqHpw7Znyi86pSkHzMkDk9rkgfvd1cLlvr3SJ82Wlnd1k0bClwZmjk7/TjrB8Ut4mSPDYxwqYf4Bf7HB+C8thMunFOaIIYBmvK\", \"method\": \"aes-128-gcm\", \"iv\": \"9005732e4dade82321f148d4\", \"tag\": \"877be90088b3cbd7c411836b5017405f\", \"version\": \"1\"}');
/*!40000 ALTER TABLE `_1_authenticators` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `_1_identities`
--

DROP TABLE IF EXISTS `_1_identities`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `_1_identities` (
  `_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `_uid` varchar(255) NOT NULL,
  `_createdAt` datetime(3) DEFAULT NULL,
  `_updatedAt` datetime(3) DEFAULT NULL,
  `_permissions` mediumtext DEFAULT NULL,
  `userInternalId` varchar(255) DEFAULT NULL,
  `userId` varchar(255) DEFAULT NULL,
  `provider` varchar(128) DEFAULT NULL,
  `providerUid` varchar(2048) DEFAULT NULL,
  `providerEmail` varchar(320) DEFAULT NULL,
  `providerAccessToken` text DEFAULT NULL,
  `providerAccessTokenExpiry` datetime(3) DEFAULT NULL,
  `providerRefreshToken` text DEFAULT NULL,
  `secrets` text DEFAULT NULL,
  `scopes` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`scopes`)),
  `expire` datetime(3) DEFAULT NULL,
  PRIMARY KEY (`_id`),
  UNIQUE KEY `_uid` (`_uid`),
  UNIQUE KEY `_key_provider_providerUid` (`provider`,`providerUid`(128)),
  KEY `_created_at` (`_createdAt`),
  KEY `_updated_at` (`_updatedAt`)
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `_1_identities`
--

LOCK TABLES `_1_identities` WRITE;
/*!40000 ALTER TABLE `_1_identities` DISABLE KEYS */;
INSERT INTO `_1_identities` VALUES
(1,'d05f3a56da71a8387560','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678',NULL,NULL,'ann','google','110169484474386276334','ann@example.com','{\"data\": \"eUPzDCEuHWXgmA5H6C8KIx94sM80jtI=\", \"method\": \"aes-128-gcm\", \"iv\": \"a296427684ee361bbb0bbd3e\", \"tag\": \"3c2f89a04b8002cf109354bfe35833fa\", \"version\": \"1\"}',NULL,NULL,NULL,'[]',NULL),
(2,'3889bf17ff8a215e46c8','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678',NULL,NULL,'ann','microsoft','87d349ed-44d7-43e1','ann@example.com','{\"data\": \"YMGPnBx2Mb6frSamvuARb7uZVPe7vS0=\", \"method\": \"aes-128-gcm\", \"iv\": \"4f9a05bd50c6835d9ebac9c1\", \"tag\": \"a15e2299851335a8f26940cf89488a6f\", \"version\": \"1\"}',NULL,NULL,NULL,'[]',NULL),
(3,'09a29a5597afd483ca6c','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678',NULL,NULL,'ann','twitch','44322889','ann@example.com','{\"data\": \"+z+7qYjnYvbkKp/aNFjbrSv1lFaKFaY=\", \"method\": \"aes-128-gcm\", \"iv\": \"e8918e86ff29046bab45347b\", \"tag\": \"2f18a4a6b8486965ea7c0af20928756e\", \"version\": \"1\"}',NULL,NULL,NULL,'[]',NULL),
(4,'2b473fb9ee02f45de924','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678',NULL,NULL,'bob','github','583231','bob@example.com','{\"data\": \"vo5hLzKWI3JEZNmnc9AQdaneCayHxtk=\", \"method\": \"aes-128-gcm\", \"iv\": \"bafd1b873abff4ed1cb0b293\", \"tag\": \"fb2b5664aa3b63546df368329278b17b\", \"version\": \"1\"}',NULL,NULL,NULL,'[]',NULL);
/*!40000 ALTER TABLE `_1_identities` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `_1_memberships`
--

DROP TABLE IF EXISTS `_1_memberships`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `_1_memberships` (
  `_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `_uid` varchar(255) NOT NULL,
  `_createdAt` datetime(3) DEFAULT NULL,
  `_updatedAt` datetime(3) DEFAULT NULL,
  `_permissions` mediumtext DEFAULT NULL,
  `userInternalId` varchar(255) DEFAULT NULL,
  `userId` varchar(255) DEFAULT NULL,
  `teamInternalId` varchar(255) DEFAULT NULL,
  `teamId` varchar(255) DEFAULT NULL,
  `roles` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`roles`)),
  `confirm` tinyint(1) DEFAULT NULL,
  `secret` varchar(256) DEFAULT NULL,
  PRIMARY KEY (`_id`),
  UNIQUE KEY `_uid` (`_uid`),
  KEY `_created_at` (`_createdAt`),
  KEY `_updated_at` (`_updatedAt`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `_1_memberships`
--

LOCK TABLES `_1_memberships` WRITE;
/*!40000 ALTER TABLE `_1_memberships` DISABLE KEYS */;
INSERT INTO `_1_memberships` VALUES
(1,'00a636f2dce395780653','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678',NULL,'1','ann','1','team',NULL,1,NULL);
/*!40000 ALTER TABLE `_1_memberships` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `_1_targets`
--

DROP TABLE IF EXISTS `_1_targets`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `_1_targets` (
  `_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `_uid` varchar(255) NOT NULL,
  `_createdAt` datetime(3) DEFAULT NULL,
  `_updatedAt` datetime(3) DEFAULT NULL,
  `_permissions` mediumtext DEFAULT NULL,
  `userId` varchar(255) DEFAULT NULL,
  `userInternalId` varchar(255) DEFAULT NULL,
  `sessionId` varchar(255) DEFAULT NULL,
  `sessionInternalId` varchar(255) DEFAULT NULL,
  `providerType` varchar(255) DEFAULT NULL,
  `providerId` varchar(255) DEFAULT NULL,
  `providerInternalId` varchar(255) DEFAULT NULL,
  `identifier` varchar(2048) DEFAULT NULL,
  `name` varchar(255) DEFAULT NULL,
  `expired` tinyint(1) DEFAULT NULL,
  PRIMARY KEY (`_id`),
  UNIQUE KEY `_uid` (`_uid`),
  KEY `_created_at` (`_createdAt`),
  KEY `_updated_at` (`_updatedAt`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `_1_targets`
--

LOCK TABLES `_1_targets` WRITE;
/*!40000 ALTER TABLE `_1_targets` DISABLE KEYS */;
INSERT INTO `_1_targets` VALUES
(1,'phone','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678',NULL,'ann',NULL,NULL,NULL,'push','fcm',NULL,'a token','Pixel',NULL),
(2,'aed782793e55e09a8efd','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678',NULL,'ann',NULL,NULL,NULL,'email','fcm',NULL,'ann@example.com','Pixel',NULL);
/*!40000 ALTER TABLE `_1_targets` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `_1_users`
--

DROP TABLE IF EXISTS `_1_users`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `_1_users` (
  `_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `_uid` varchar(255) NOT NULL,
  `_createdAt` datetime(3) DEFAULT NULL,
  `_updatedAt` datetime(3) DEFAULT NULL,
  `_permissions` mediumtext DEFAULT NULL,
  `name` varchar(256) DEFAULT NULL,
  `email` varchar(320) DEFAULT NULL,
  `phone` varchar(16) DEFAULT NULL,
  `status` tinyint(1) DEFAULT NULL,
  `labels` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`labels`)),
  `passwordHistory` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`passwordHistory`)),
  `password` text DEFAULT NULL,
  `hash` varchar(256) DEFAULT NULL,
  `hashOptions` text DEFAULT NULL,
  `passwordUpdate` datetime(3) DEFAULT NULL,
  `prefs` text DEFAULT NULL,
  `registration` datetime(3) DEFAULT NULL,
  `emailVerification` tinyint(1) DEFAULT NULL,
  `phoneVerification` tinyint(1) DEFAULT NULL,
  `reset` tinyint(1) DEFAULT NULL,
  `mfa` tinyint(1) DEFAULT NULL,
  `mfaRecoveryCodes` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`mfaRecoveryCodes`)),
  `authenticators` text DEFAULT NULL,
  `sessions` text DEFAULT NULL,
  `tokens` text DEFAULT NULL,
  `challenges` text DEFAULT NULL,
  `memberships` text DEFAULT NULL,
  `targets` text DEFAULT NULL,
  `search` text DEFAULT NULL,
  `accessedAt` datetime(3) DEFAULT NULL,
  PRIMARY KEY (`_id`),
  UNIQUE KEY `_uid` (`_uid`),
  UNIQUE KEY `_key_phone` (`phone`),
  UNIQUE KEY `_key_email` (`email`(256)),
  KEY `_created_at` (`_createdAt`),
  KEY `_updated_at` (`_updatedAt`),
  FULLTEXT KEY `_key_search` (`search`)
) ENGINE=InnoDB AUTO_INCREMENT=8 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `_1_users`
--

LOCK TABLES `_1_users` WRITE;
/*!40000 ALTER TABLE `_1_users` DISABLE KEYS */;
INSERT INTO `_1_users` VALUES
(1,'ann','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678','[\"read(\\\"any\\\")\"]','O\'Neil \\ \"Ann\" 😀 ;--','ann@example.com','+4915112345678',1,'[\"vip\"]','[]','{\"data\": \"N5P6cIDF5IgSAxNtUDk2G4AFn7qp7vilP/wuIHKTWOVgiAV9jub2ISRqrvKWQtZ70xewUKqiAONRWrmX\", \"method\": \"aes-128-gcm\", \"iv\": \"1010f7b7984e22138e8a1969\", \"tag\": \"f8249d51730016e235927471d4f894a9\", \"version\": \"1\"}','bcrypt','{\"type\":\"bcrypt\",\"cost\":5}','2023-01-02 03:04:05.678','{\"note\": \"two\\nlines, \\\"quoted\\\" and \\\\ back; O\'Neil\"}','2023-01-02 03:04:05.678',1,1,0,1,'[\"{\\\"data\\\": \\\"3CB5wQtw8CwyJQ==\\\", \\\"method\\\": \\\"aes-128-gcm\\\", \\\"iv\\\": \\\"59200ec5b6df72457b15514c\\\", \\\"tag\\\": \\\"dc90750a89c97ddafecb0b1baf304f4f\\\", \\\"version\\\": \\\"1\\\"}\", \"{\\\"data\\\": \\\"MAwy1tiKMR0Gfw==\\\", \\\"method\\\": \\\"aes-128-gcm\\\", \\\"iv\\\": \\\"9d65ad79db3d9de307c00798\\\", \\\"tag\\\": \\\"57ecee83a6c51bd9d64342e79b1dcc7a\\\", \\\"version\\\": \\\"1\\\"}\", \"{\\\"data\\\": \\\"wmWM1TxbBIihcA==\\\", \\\"method\\\": \\\"aes-128-gcm\\\", \\\"iv\\\": \\\"5fd79955e1cb70d24bbae76f\\\", \\\"tag\\\": \\\"04efc6e048922b1375c4b3d84ddd147b\\\", \\\"version\\\": \\\"1\\\"}\", \"{\\\"data\\\": \\\"ptV1kVXCm9omyA==\\\", \\\"method\\\": \\\"aes-128-gcm\\\", \\\"iv\\\": \\\"3d4c839fd05e578246f23fd0\\\", \\\"tag\\\": \\\"a155956d91663a0c1321fb7202d3f9e7\\\", \\\"version\\\": \\\"1\\\"}\", \"{\\\"data\\\": \\\"DPrBnDBxf52J4w==\\\", \\\"method\\\": \\\"aes-128-gcm\\\", \\\"iv\\\": \\\"c0aada448ce821ab1d07f875\\\", \\\"tag\\\": \\\"0bfb6b20b1bca284422f91ccd4d77414\\\", \\\"version\\\": \\\"1\\\"}\", \"{\\\"data\\\": \\\"BueiFdtwAf4WVQ==\\\", \\\"method\\\": \\\"aes-128-gcm\\\", \\\"iv\\\": \\\"cb34a8eb07cf62d0e66cfcc0\\\", \\\"tag\\\": \\\"b43a545b6e053f0da53e3bdf9707d7a8\\\", \\\"version\\\": \\\"1\\\"}\"]',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL),
(2,'bob','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678','[\"read(\\\"any\\\")\"]','','bob@example.com',NULL,0,'[]','[]','{\"data\": \"1UL6dX2bxpbU9GW7Pz2/hwobpEphIZNhYkY0RYDkCEgzZ4YK6gTnNvRFubJFVKv0KJPaAoA9yG1BaCUo\", \"method\": \"aes-128-gcm\", \"iv\": \"2df210fcee038198f374a30c\", \"tag\": \"d6f4860d8c23e19781bbe52d6e763111\", \"version\": \"1\"}','bcrypt','{\"type\":\"bcrypt\",\"cost\":5}','2023-01-02 03:04:05.678','{}','2023-01-02 03:04:05.678',0,0,0,1,'[]',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL),
(3,'guest','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678','[\"read(\\\"any\\\")\"]','',NULL,NULL,1,'[]','[]',NULL,'bcrypt','{\"type\":\"bcrypt\",\"cost\":5}',NULL,'{}','2023-01-02 03:04:05.678',0,0,0,0,'[]',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL),
(4,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678','[\"read(\\\"any\\\")\"]','','long@example.com',NULL,1,'[]','[]','{\"data\": \"Fn4trQuxQL12CD1wOUK+BrVgNsja6ashYw9oB91Y7MnN6OR6iuh60ph0lf8Fr2FZIVSFyiHR6jlEgsfz\", \"method\": \"aes-128-gcm\", \"iv\": \"6703273c4095eab5eba87528\", \"tag\": \"1d575c064de9eda29cf6c0f402a5d861\", \"version\": \"1\"}','bcrypt','{\"type\":\"bcrypt\",\"cost\":5}','2023-01-02 03:04:05.678','{}','2023-01-02 03:04:05.678',0,0,0,0,'[]',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL),
(5,'eve','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678','[\"read(\\\"any\\\")\"]','two\nlines\0\Z','eve@example.com',NULL,1,'[]','[]','{\"data\": \"SIA0As0HfKHV8rag3lhw0F1O88jqJYU+GZeeG3OTM6rjOxRkm7hU+RM5Cr6p3/Zc0Iz9T3qf/9BgUeNO\", \"method\": \"aes-128-gcm\", \"iv\": \"371863d6db0427d7553066f9\", \"tag\": \"0be9bf148107274d334a6ffe085f253d\", \"version\": \"1\"}','bcrypt','{\"type\":\"bcrypt\",\"cost\":5}','2023-01-02 03:04:05.678','{}','2023-01-02 03:04:05.678',0,0,0,0,'[]',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL),
(6,'idn','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678','[\"read(\\\"any\\\")\"]','','dan@müller.example',NULL,1,'[]','[]','{\"data\": \"jj7KEt3dnouA4YBQNiaBk0hM3267hzZxHAhCTB6pzD6+ddQ0ddBGS9IgT3Rvhhbtf5uLvYJjEK5b8B4A\", \"method\": \"aes-128-gcm\", \"iv\": \"77fdae6d80defffe15201f38\", \"tag\": \"6a7fdc09736495920c0650000323d0cb\", \"version\": \"1\"}','bcrypt','{\"type\":\"bcrypt\",\"cost\":5}','2023-01-02 03:04:05.678','{}','2023-01-02 03:04:05.678',0,0,0,0,'[]',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL),
(7,'idn2','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678','[\"read(\\\"any\\\")\"]','','dan@xn--mller-kva.example',NULL,1,'[]','[]','{\"data\": \"3UB+1zCy0KDXnkCJr4FXnvMEeTN++rloyaoa5UypKiySRyoAyLEqZQykNDcrBADEVWqhIpmofDnfFYFr\", \"method\": \"aes-128-gcm\", \"iv\": \"a5d8cf40252f0c5d1c95870c\", \"tag\": \"52db824ab2123b85c0f608def181c11e\", \"version\": \"1\"}','bcrypt','{\"type\":\"bcrypt\",\"cost\":5}','2023-01-02 03:04:05.678','{}','2023-01-02 03:04:05.678',0,0,0,0,'[]',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
/*!40000 ALTER TABLE `_1_users` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `_2_authenticators`
--

DROP TABLE IF EXISTS `_2_authenticators`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `_2_authenticators` (
  `_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `_uid` varchar(255) NOT NULL,
  `_createdAt` datetime(3) DEFAULT NULL,
  `_updatedAt` datetime(3) DEFAULT NULL,
  `_permissions` mediumtext DEFAULT NULL,
  `userInternalId` varchar(255) DEFAULT NULL,
  `userId` varchar(255) DEFAULT NULL,
  `type` varchar(255) DEFAULT NULL,
  `verified` tinyint(1) DEFAULT NULL,
  `data` text DEFAULT NULL,
  PRIMARY KEY (`_id`),
  UNIQUE KEY `_uid` (`_uid`),
  KEY `_key_userInternalId` (`userInternalId`),
  KEY `_created_at` (`_createdAt`),
  KEY `_updated_at` (`_updatedAt`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `_2_authenticators`
--

LOCK TABLES `_2_authenticators` WRITE;
/*!40000 ALTER TABLE `_2_authenticators` DISABLE KEYS */;
/*!40000 ALTER TABLE `_2_authenticators` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `_2_identities`
--

DROP TABLE IF EXISTS `_2_identities`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `_2_identities` (
  `_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `_uid` varchar(255) NOT NULL,
  `_createdAt` datetime(3) DEFAULT NULL,
  `_updatedAt` datetime(3) DEFAULT NULL,
  `_permissions` mediumtext DEFAULT NULL,
  `userInternalId` varchar(255) DEFAULT NULL,
  `userId` varchar(255) DEFAULT NULL,
  `provider` varchar(128) DEFAULT NULL,
  `providerUid` varchar(2048) DEFAULT NULL,
  `providerEmail` varchar(320) DEFAULT NULL,
  `providerAccessToken` text DEFAULT NULL,
  `providerAccessTokenExpiry` datetime(3) DEFAULT NULL,
  `providerRefreshToken` text DEFAULT NULL,
  `secrets` text DEFAULT NULL,
  `scopes` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`scopes`)),
  `expire` datetime(3) DEFAULT NULL,
  PRIMARY KEY (`_id`),
  UNIQUE KEY `_uid` (`_uid`),
  UNIQUE KEY `_key_provider_providerUid` (`provider`,`providerUid`(128)),
  KEY `_created_at` (`_createdAt`),
  KEY `_updated_at` (`_updatedAt`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `_2_identities`
--

LOCK TABLES `_2_identities` WRITE;
/*!40000 ALTER TABLE `_2_identities` DISABLE KEYS */;
/*!40000 ALTER TABLE `_2_identities` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `_2_memberships`
--

DROP TABLE IF EXISTS `_2_memberships`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `_2_memberships` (
  `_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `_uid` varchar(255) NOT NULL,
  `_createdAt` datetime(3) DEFAULT NULL,
  `_updatedAt` datetime(3) DEFAULT NULL,
  `_permissions` mediumtext DEFAULT NULL,
  `userInternalId` varchar(255) DEFAULT NULL,
  `userId` varchar(255) DEFAULT NULL,
  `teamInternalId` varchar(255) DEFAULT NULL,
  `teamId` varchar(255) DEFAULT NULL,
  `roles` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`roles`)),
  `confirm` tinyint(1) DEFAULT NULL,
  `secret` varchar(256) DEFAULT NULL,
  PRIMARY KEY (`_id`),
  UNIQUE KEY `_uid` (`_uid`),
  KEY `_created_at` (`_createdAt`),
  KEY `_updated_at` (`_updatedAt`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `_2_memberships`
--

LOCK TABLES `_2_memberships` WRITE;
/*!40000 ALTER TABLE `_2_memberships` DISABLE KEYS */;
/*!40000 ALTER TABLE `_2_memberships` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `_2_targets`
--

DROP TABLE IF EXISTS `_2_targets`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `_2_targets` (
  `_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `_uid` varchar(255) NOT NULL,
  `_createdAt` datetime(3) DEFAULT NULL,
  `_updatedAt` datetime(3) DEFAULT NULL,
  `_permissions` mediumtext DEFAULT NULL,
  `userId` varchar(255) DEFAULT NULL,
  `userInternalId` varchar(255) DEFAULT NULL,
  `sessionId` varchar(255) DEFAULT NULL,
  `sessionInternalId` varchar(255) DEFAULT NULL,
  `providerType` varchar(255) DEFAULT NULL,
  `providerId` varchar(255) DEFAULT NULL,
  `providerInternalId` varchar(255) DEFAULT NULL,
  `identifier` varchar(2048) DEFAULT NULL,
  `name` varchar(255) DEFAULT NULL,
  `expired` tinyint(1) DEFAULT NULL,
  PRIMARY KEY (`_id`),
  UNIQUE KEY `_uid` (`_uid`),
  KEY `_created_at` (`_createdAt`),
  KEY `_updated_at` (`_updatedAt`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `_2_targets`
--

LOCK TABLES `_2_targets` WRITE;
/*!40000 ALTER TABLE `_2_targets` DISABLE KEYS */;
/*!40000 ALTER TABLE `_2_targets` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `_2_users`
--

DROP TABLE IF EXISTS `_2_users`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `_2_users` (
  `_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `_uid` varchar(255) NOT NULL,
  `_createdAt` datetime(3) DEFAULT NULL,
  `_updatedAt` datetime(3) DEFAULT NULL,
  `_permissions` mediumtext DEFAULT NULL,
  `name` varchar(256) DEFAULT NULL,
  `email` varchar(320) DEFAULT NULL,
  `phone` varchar(16) DEFAULT NULL,
  `status` tinyint(1) DEFAULT NULL,
  `labels` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`labels`)),
  `passwordHistory` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`passwordHistory`)),
  `password` text DEFAULT NULL,
  `hash` varchar(256) DEFAULT NULL,
  `hashOptions` text DEFAULT NULL,
  `passwordUpdate` datetime(3) DEFAULT NULL,
  `prefs` text DEFAULT NULL,
  `registration` datetime(3) DEFAULT NULL,
  `emailVerification` tinyint(1) DEFAULT NULL,
  `phoneVerification` tinyint(1) DEFAULT NULL,
  `reset` tinyint(1) DEFAULT NULL,
  `mfa` tinyint(1) DEFAULT NULL,
  `mfaRecoveryCodes` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`mfaRecoveryCodes`)),
  `authenticators` text DEFAULT NULL,
  `sessions` text DEFAULT NULL,
  `tokens` text DEFAULT NULL,
  `challenges` text DEFAULT NULL,
  `memberships` text DEFAULT NULL,
  `targets` text DEFAULT NULL,
  `search` text DEFAULT NULL,
  `accessedAt` datetime(3) DEFAULT NULL,
  PRIMARY KEY (`_id`),
  UNIQUE KEY `_uid` (`_uid`),
  UNIQUE KEY `_key_phone` (`phone`),
  UNIQUE KEY `_key_email` (`email`(256)),
  KEY `_created_at` (`_createdAt`),
  KEY `_updated_at` (`_updatedAt`),
  FULLTEXT KEY `_key_search` (`search`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `_2_users`
--

LOCK TABLES `_2_users` WRITE;
/*!40000 ALTER TABLE `_2_users` DISABLE KEYS */;
INSERT INTO `_2_users` VALUES
(1,'other','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678','[\"read(\\\"any\\\")\"]','','other@example.com',NULL,1,'[]','[]','{\"data\": \"Z3cN04toIYkfP6yyo+DaUMu+Fcg3q6/r24cvnHzU3tk27iEolA7vd7y5Xrmye72dVBlGET7LT0/ANxXQ\", \"method\": \"aes-128-gcm\", \"iv\": \"7d0845b4c98064f678ae3a23\", \"tag\": \"373f012daa98515b74f5750d4112f75b\", \"version\": \"1\"}','bcrypt','{\"type\":\"bcrypt\",\"cost\":5}','2023-01-02 03:04:05.678','{}','2023-01-02 03:04:05.678',0,0,0,0,'[]',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
/*!40000 ALTER TABLE `_2_users` ENABLE KEYS */;
UNLOCK TABLES;

--
-- Table structure for table `_console_projects`
--

DROP TABLE IF EXISTS `_console_projects`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `_console_projects` (
  `_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `_uid` varchar(255) NOT NULL,
  `_createdAt` datetime(3) DEFAULT NULL,
  `_updatedAt` datetime(3) DEFAULT NULL,
  `_permissions` mediumtext DEFAULT NULL,
  `teamInternalId` varchar(255) DEFAULT NULL,
  `teamId` varchar(255) DEFAULT NULL,
  `name` varchar(128) DEFAULT NULL,
  `database` varchar(256) DEFAULT NULL,
  PRIMARY KEY (`_id`),
  UNIQUE KEY `_uid` (`_uid`),
  KEY `_created_at` (`_createdAt`),
  KEY `_updated_at` (`_updatedAt`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `_console_projects`
--

LOCK TABLES `_console_projects` WRITE;
/*!40000 ALTER TABLE `_console_projects` DISABLE KEYS */;
INSERT INTO `_console_projects` VALUES
(1,'64f0c1','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678',NULL,NULL,NULL,'Shop',NULL),
(2,'64f0c2','2023-01-02 03:04:05.678','2023-01-02 03:04:05.678',NULL,NULL,NULL,'Blog',NULL);
/*!40000 ALTER TABLE `_console_projects` ENABLE KEYS */;
UNLOCK TABLES;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed on 2026-11-30 11:20:24
